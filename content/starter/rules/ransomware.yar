// Ransomware: notes, lockers of virtual machines, scripts.

rule Ransom_Note {
    meta:
        author = "Ringfence authors"
        description = "A text that demands money for encrypted files"
        severity = "high"
        action = "alert"
        technique = "T1486"
        reference = "https://attack.mitre.org/techniques/T1486/"
        licence = "Apache-2.0"
    strings:
        $a = /(all )?(of )?your (important |personal |network |company )?(files|data|documents|servers?|network)( and [a-z]{3,12})? (have been|has been|were|was|are) (securely |fully )?(encrypted|locked)/ nocase
        $b = /\b(bitcoin|btc|monero|xmr)\b/ nocase
        $c = /[a-z2-7]{16,56}\.onion\b/
        $d = /tor browser/ nocase
        $e = /decrypt(ion|or|er)? (key|tool|software|program|your)/ nocase
        $f = /do not (try to )?(rename|modify|recover|decrypt)/ nocase
    condition:
        filesize < 64KB and $a and 2 of ($b, $c, $d, $e, $f)
}

rule Ransom_ESXi_Locker {
    meta:
        author = "Ringfence authors"
        description = "A program that stops virtual machines of ESXi and encrypts their disks"
        severity = "critical"
        action = "block"
        technique = "T1486"
        reference = "https://attack.mitre.org/techniques/T1486/"
        licence = "Apache-2.0"
    strings:
        $kill = /esxcli[^\x00\n]{0,40}vm process kill/
        $disk = ".vmdk"
        $memory = ".vmem"
        $swap = ".vswp"
        $snapshot = ".vmsn"
    condition:
        uint32(0) == 0x464c457f and $kill and 2 of ($disk, $memory, $swap, $snapshot)
}

rule Ransom_ESXi_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that stops all virtual machines and encrypts their disks"
        severity = "critical"
        action = "block"
        technique = "T1486"
        reference = "https://attack.mitre.org/techniques/T1486/"
        licence = "Apache-2.0"
    strings:
        $kill = /(esxcli[^\n]{0,40}vm process kill|vim-cmd[^\n]{0,10}vmsvc\/power\.off)/
        $disk = ".vmdk"
        $encrypt = /(encrypt|openssl\s{1,4}enc|nohup[^\n]{0,80}\.vm(dk|x))/
        $note = /(index\.html|motd|ransom|How to Restore)/ nocase
    condition:
        uint16(0) == 0x2123 and filesize < 128KB and all of them
}

rule Ransom_OpenSSL_Loop_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that encrypts every file that it finds and removes the original"
        severity = "high"
        action = "alert"
        technique = "T1486"
        reference = "https://attack.mitre.org/techniques/T1486/"
        licence = "Apache-2.0"
    strings:
        $find = /\bfind\s{1,4}\/[^\n]{0,120}/
        $encrypt = /(openssl\s{1,4}(enc|aes-256-cbc)\b[^\n]{0,160}-(k|pass|in)\b|gpg\s[^\n]{0,80}(--symmetric|-c)\s)/
        $remove = /\b(rm\s{1,4}-[rf]{1,2}|shred\s{1,4}-)/
        $word = /(ransom|bitcoin|decrypt your|locked by|\.locked\b|\.encrypted\b)/ nocase
    condition:
        uint16(0) == 0x2123 and filesize < 64KB and all of them
}
