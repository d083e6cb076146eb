// Thieves of keys and passwords.

rule Credential_Collector_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that gathers cloud, container and SSH secrets and sends them away"
        severity = "high"
        action = "alert"
        technique = "T1552.001"
        reference = "https://attack.mitre.org/techniques/T1552/001/"
        licence = "Apache-2.0"
    strings:
        $a = ".aws/credentials"
        $b = ".docker/config.json"
        $c = ".kube/config"
        $d = ".git-credentials"
        $e = /\.ssh\/id_(rsa|ed25519)/
        $f = "169.254.169.254/latest/meta-data/iam"
        $g = ".config/gcloud"
        $h = ".s3cfg"
        $i = ".pgpass"
        $send = /(curl\s[^\n]{0,120}(-F|--data|-d|-T|--upload-file|-X\s{0,2}POST)\b|\bnc(at)?\s[0-9]{1,3}\.|wget\s[^\n]{0,60}--post)/
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and 4 of ($a, $b, $c, $d, $e, $f, $g, $h, $i) and $send
}

rule Credential_Mimipenguin {
    meta:
        author = "Ringfence authors"
        description = "Mimipenguin, which reads passwords of the desktop from memory"
        severity = "high"
        action = "block"
        technique = "T1003.007"
        reference = "https://github.com/huntergregal/mimipenguin"
        licence = "Apache-2.0"
    strings:
        $name = "mimipenguin" nocase
        $a = "_pammodutil_getpwnam_root_1"
        $b = "gkr_system_authtok"
        $c = /gnome-keyring-daemon/
        $d = "^+libgcrypt"
        $e = "lightdm"
    condition:
        (uint16(0) == 0x2123 or uint32(0) == 0x464c457f) and filesize < 2MB and $name and 2 of ($a, $b, $c, $d, $e)
}

rule Credential_Shadow_Sent_Away {
    meta:
        author = "Ringfence authors"
        description = "A script that sends the password file away"
        severity = "high"
        action = "alert"
        technique = "T1003.008"
        reference = "https://attack.mitre.org/techniques/T1003/008/"
        licence = "Apache-2.0"
    strings:
        $send = /(curl|wget|nc|ncat|scp|socat|openssl\s{1,2}s_client)\b[^\n]{0,120}\/etc\/shadow\b/
        $pipe = /\/etc\/shadow\b[^\n]{0,60}\|[^\n]{0,60}\b(curl|nc|ncat|openssl\s{1,2}s_client|wget)\s/
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and any of them
}

rule Credential_Memory_Reader_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that reads passwords out of the memory of sshd or su"
        severity = "high"
        action = "alert"
        technique = "T1003.007"
        reference = "https://attack.mitre.org/techniques/T1003/007/"
        licence = "Apache-2.0"
    strings:
        $trace = /strace\s[^\n]{0,60}-(f|p|e)[^\n]{0,80}(sshd|\bsu\b|passwd|login)/
        $write = /(write|read)\([0-9\\\[\]+]{0,8}/
        $keep = /(>>?|-o)\s{0,4}(\/tmp|\/var\/tmp|\/dev\/shm|\/[^\s]{0,40}\/\.)[^\s]{1,40}/
    condition:
        uint16(0) == 0x2123 and filesize < 64KB and all of them
}
