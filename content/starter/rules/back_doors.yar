// Back doors in SSH, PAM and system libraries.

rule Backdoor_Authorized_Keys_Dropper {
    meta:
        author = "Ringfence authors"
        description = "A script that plants its own SSH key and guards or fetches it"
        severity = "high"
        action = "alert"
        technique = "T1098.004"
        reference = "https://attack.mitre.org/techniques/T1098/004/"
        licence = "Apache-2.0"
    strings:
        $key = /(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp256) AAAA[A-Za-z0-9+\/]{40}/
        $write = /(>>?|tee\s(-a\s)?)\s{0,4}[^\n]{0,40}\.ssh\/authorized_keys/
        $guard = /chattr\s{1,4}(-R\s{1,4})?\+[ia]{1,2}\b/
        $fetch = /\b(curl|wget)\s[^\n]{0,80}https?:\/\/[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\./
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and $key and $write and ($guard or $fetch)
}

rule Backdoor_SSHD_Password_Log {
    meta:
        author = "Ringfence authors"
        description = "A patched sshd that writes passwords to a hidden file"
        severity = "critical"
        action = "block"
        technique = "T1556"
        reference = "https://www.welivesecurity.com/wp-content/uploads/2018/12/ESET-The_Dark_Side_of_the_ForSSHe.pdf"
        licence = "Apache-2.0"
    strings:
        $ssh = "OpenSSH_"
        $a = "/usr/include/sn.h"
        $b = "/usr/include/gpm2.h"
        $c = "user:password --> %s:%s"
        $d = "login in:  %s:%s"
        $e = "/var/html/lol"
        $f = "/etc/ssh/.sshd_auth"
        $g = "/usr/lib/libice.log"
        $h = "+user: %.100s +password: %.100s"
    condition:
        uint32(0) == 0x464c457f and $ssh and any of ($a, $b, $c, $d, $e, $f, $g, $h)
}

rule Backdoor_PAM_Module_Password_Log {
    meta:
        author = "Ringfence authors"
        description = "A PAM module that writes passwords to a file of its own"
        severity = "high"
        action = "alert"
        technique = "T1556.003"
        reference = "https://attack.mitre.org/techniques/T1556/003/"
        licence = "Apache-2.0"
    strings:
        $entry = "pam_sm_authenticate"
        $token = /pam_get_(authtok|item|user)/
        $path = /\/(tmp|var\/tmp|dev\/shm|var\/log|usr\/(lib|share|include))\/\.[A-Za-z0-9_.-]{2,40}/
        $format = /(%s[: @]{1,3}%s|user(name)?[:=] ?%s[^\x00]{0,20}pass(word)?[:=] ?%s)/ nocase
    condition:
        uint32(0) == 0x464c457f and filesize < 1MB and all of them
}

rule Backdoor_PAM_Exec_Configuration {
    meta:
        author = "Ringfence authors"
        description = "A PAM configuration that gives passwords to a program in a temporary or hidden directory"
        severity = "high"
        action = "alert"
        technique = "T1556.003"
        reference = "https://attack.mitre.org/techniques/T1556/003/"
        licence = "Apache-2.0"
    strings:
        $line = /(^|\n)\s{0,8}-?(auth|password)\s[^\n#]{0,60}pam_exec\.so[^\n]{0,60}expose_authtok[^\n]{0,60}\s(\/tmp|\/var\/tmp|\/dev\/shm|\/[^\s]{0,60}\/\.)[^\s]{0,80}/
    condition:
        filesize < 64KB and $line
}

rule Backdoor_XZ_Liblzma {
    meta:
        author = "Ringfence authors"
        description = "liblzma with the back door of CVE-2024-3094"
        severity = "critical"
        action = "block"
        technique = "T1195.002"
        reference = "https://www.openwall.com/lists/oss-security/2024/03/29/4"
        licence = "Apache-2.0"
    strings:
        $code = { F3 0F 1E FA 55 48 89 F5 4C 89 CE 53 89 FB 81 E7 00 00 00 80 48 83 EC 28 48 89 54 24 18 48 89 4C 24 10 }
    condition:
        uint32(0) == 0x464c457f and $code
}

rule Backdoor_BPFDoor {
    meta:
        author = "Ringfence authors"
        description = "BPFDoor, a back door that listens with a packet filter"
        severity = "critical"
        action = "block"
        technique = "T1205.002"
        reference = "https://attack.mitre.org/techniques/T1205/002/"
        licence = "Apache-2.0"
    strings:
        $a = "/var/run/haldrund.pid"
        $b = "/dev/shm/kdmtmpflush"
        $c = "hald-addon-acpi: listening on acpi kernel interface /proc/acpi/event"
        $d = "/sbin/iptables -t nat -D PREROUTING -p tcp -s %s --dport %d -j REDIRECT --to-ports %d"
        $e = "avahi-daemon: chroot helper"
    condition:
        uint32(0) == 0x464c457f and filesize < 2MB and 2 of ($a, $b, $c, $d) or (uint32(0) == 0x464c457f and filesize < 100KB and $d and $e)
}

rule Backdoor_Setuid_Shell_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that makes a shell with root's rights for later"
        severity = "high"
        action = "alert"
        technique = "T1548.001"
        reference = "https://attack.mitre.org/techniques/T1548/001/"
        licence = "Apache-2.0"
    strings:
        $copy = /cp\s{1,4}(-[a-z]{1,4}\s{1,4})?(\/usr)?\/bin\/(ba|da|z)?sh\s{1,4}(\/tmp|\/var\/tmp|\/dev\/shm|\/[^\s]{0,40}\/\.)[^\s]{0,40}/
        $mode = /chmod\s{1,4}([ug+]{0,3}\+s|[246]7[0-7]{2})/
    condition:
        uint16(0) == 0x2123 and filesize < 128KB and all of them
}
