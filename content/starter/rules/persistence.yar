// Ways to come back after a restart.

rule Persistence_Cron_Download {
    meta:
        author = "Ringfence authors"
        description = "A cron entry that pipes a download into a shell"
        severity = "high"
        action = "alert"
        technique = "T1053.003"
        reference = "https://attack.mitre.org/techniques/T1053/003/"
        licence = "Apache-2.0"
    strings:
        $line = /(^|\n|["'])\s{0,4}((\*|[0-9]{1,2})(\/[0-9]{1,2})?(,[0-9]{1,2}){0,8}[ \t]{1,4}){4}[^ \t\n]{1,9}[ \t]{1,4}[^\n#]{0,60}\b(curl|wget)\b[^\n|]{0,160}\|[ \t]{0,4}((\/usr)?\/bin\/)?(ba|da)?sh\b/
        $at = /@(reboot|hourly|daily)[ \t]{1,4}[^\n]{0,60}\b(curl|wget)\b[^\n|]{0,160}\|[ \t]{0,4}((\/usr)?\/bin\/)?(ba|da)?sh\b/
    condition:
        filesize < 256KB and any of them
}

rule Persistence_Cron_Hidden_Program {
    meta:
        author = "Ringfence authors"
        description = "A cron entry that runs a hidden program in a temporary directory"
        severity = "high"
        action = "alert"
        technique = "T1053.003"
        reference = "https://attack.mitre.org/techniques/T1053/003/"
        licence = "Apache-2.0"
    strings:
        $line = /(^|\n|["'])\s{0,4}((\*|[0-9]{1,2})(\/[0-9]{1,2})?[ \t]{1,4}){5}[^\n#]{0,20}(\/tmp|\/var\/tmp|\/dev\/shm)\/\.[A-Za-z0-9_.\/-]{1,60}/
    condition:
        filesize < 64KB and $line
}

rule Persistence_Systemd_Hidden_Program {
    meta:
        author = "Ringfence authors"
        description = "A systemd unit that runs a program from a temporary or hidden directory"
        severity = "high"
        action = "alert"
        technique = "T1543.002"
        reference = "https://attack.mitre.org/techniques/T1543/002/"
        licence = "Apache-2.0"
    strings:
        $service = "[Service]"
        $start = /\nExecStart(Pre|Post)?=[-@:+!]{0,3}((\/usr)?\/bin\/(ba|da)?sh -c ["']?)?(\/tmp|\/var\/tmp|\/dev\/shm|(\/[A-Za-z0-9_.-]{1,32}){0,4}\/\.[A-Za-z0-9_-]{1,32})\//
    condition:
        filesize < 16KB and all of them
}

rule Persistence_Systemd_Download {
    meta:
        author = "Ringfence authors"
        description = "A systemd unit that downloads and runs a script"
        severity = "high"
        action = "alert"
        technique = "T1543.002"
        reference = "https://attack.mitre.org/techniques/T1543/002/"
        licence = "Apache-2.0"
    strings:
        $service = "[Service]"
        $start = /\nExecStart(Pre|Post)?=[^\n]{0,80}\b(curl|wget)\b[^\n|]{0,160}\|[ \t]{0,4}((\/usr)?\/bin\/)?(ba|da)?sh\b/
    condition:
        filesize < 16KB and all of them
}

rule Persistence_Udev_Temporary_Program {
    meta:
        author = "Ringfence authors"
        description = "A udev rule that runs a program from a temporary directory or a shell download"
        severity = "high"
        action = "alert"
        technique = "T1546.017"
        reference = "https://attack.mitre.org/techniques/T1546/017/"
        licence = "Apache-2.0"
    strings:
        $run = /\bRUN(\{program\})?\+?=\s{0,2}"[^"\n]{0,60}((\/tmp|\/var\/tmp|\/dev\/shm)\/|\b(curl|wget|nc|ncat)\s)[^"\n]{0,80}/
    condition:
        filesize < 64KB and $run
}

rule Persistence_Profile_Reverse_Shell {
    meta:
        author = "Ringfence authors"
        description = "A shell profile that opens a connection at each login"
        severity = "high"
        action = "alert"
        technique = "T1546.004"
        reference = "https://attack.mitre.org/techniques/T1546/004/"
        licence = "Apache-2.0"
    strings:
        $profile = /(bashrc|\.profile|\.zshrc|PS1=|alias ls=)/
        $open = /(^|\n)[^#\n]{0,40}(nohup|setsid|\()[^\n]{0,60}(\/dev\/tcp\/|\bnc(at)?\s[^\n]{0,40}-e|curl[^\n|]{0,120}\|\s{0,4}(ba)?sh)[^\n]{0,120}&/
    condition:
        filesize < 64KB and all of them
}
