// Droppers: download, unpack and run.

rule Dropper_Memfd_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that runs a program from memory without a file"
        severity = "high"
        action = "alert"
        technique = "T1620"
        reference = "https://attack.mitre.org/techniques/T1620/"
        licence = "Apache-2.0"
    strings:
        $a = /syscall\s{0,4}\(\s{0,4}(319|279|356|385)\s{0,4},/
        $b = /memfd_create/
        $run = /(exec|execl|execve|execv|system|spawn)[^\n]{0,60}\/proc\/(self|\$\$|\$\{?[A-Za-z_]{1,12}\}?|%[sd]|[0-9]{1,7})[^\n]{0,12}\/fd\//
    condition:
        filesize < 1MB and ($a or $b) and $run and uint32(0) != 0x464c457f
}

rule Dropper_Memfd_Program {
    meta:
        author = "Ringfence authors"
        description = "A small program that downloads and runs another one from memory"
        severity = "medium"
        action = "alert"
        technique = "T1620"
        reference = "https://attack.mitre.org/techniques/T1620/"
        licence = "Apache-2.0"
    strings:
        $memory = "memfd_create"
        $path = /\/proc\/(self|%[di])\/fd\/%[di]/
        $exec = /\bf?execv?e?\b/
        $fetch = /(GET \/|User-Agent:|https?:\/\/[0-9]{1,3}\.[0-9]{1,3}\.)/
    condition:
        uint32(0) == 0x464c457f and filesize < 256KB and all of them
}

rule Dropper_Pipe_Address_To_Shell {
    meta:
        author = "Ringfence authors"
        description = "A script that pipes a download from a bare address into a shell"
        severity = "high"
        action = "alert"
        technique = "T1105"
        reference = "https://attack.mitre.org/techniques/T1105/"
        licence = "Apache-2.0"
    strings:
        $pipe = /\b(curl|wget|lwp-download|fetch)\s[^\n|]{0,120}https?:\/\/[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(:[0-9]{1,5})?\/[^\n|]{0,120}\|\s{0,4}(sudo\s{1,4})?((\/usr)?\/bin\/)?(ba|da|z)?sh\b/
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and $pipe
}

rule Dropper_Bot_Loader {
    meta:
        author = "Ringfence authors"
        description = "The shell line by which bots spread: try each writable directory, fetch, run, remove"
        severity = "critical"
        action = "block"
        technique = "T1105"
        reference = "https://attack.mitre.org/techniques/T1105/"
        licence = "Apache-2.0"
    strings:
        $walk = /cd \/tmp \|\| cd \/(var\/run|var|mnt|root|dev\/shm|run|var\/tmp)( \|\| cd \/[a-z\/]{0,12}){1,6};/
        $fetch = /(wget|curl|tftp|ftpget)\s/
        $run = /chmod (\+x|777|0777)/
    condition:
        filesize < 64KB and all of them
}

rule Dropper_Base64_To_Shell {
    meta:
        author = "Ringfence authors"
        description = "A long base64 text that is decoded into a shell"
        severity = "high"
        action = "alert"
        technique = "T1140"
        reference = "https://attack.mitre.org/techniques/T1140/"
        licence = "Apache-2.0"
    strings:
        $pipe = /(echo|printf)\s{1,4}(-n\s{1,4})?["']?[A-Za-z0-9+\/]{60,4000}={0,2}["']?\s{0,4}\|\s{0,4}base64\s{1,4}(-d|--decode|-D)\s{0,4}\|\s{0,4}((\/usr)?\/bin\/)?(ba|da|z)?sh\b/
    condition:
        filesize < 256KB and $pipe
}

rule Dropper_Python_Exec_Download {
    meta:
        author = "Ringfence authors"
        description = "Python that downloads and runs a program text"
        severity = "high"
        action = "alert"
        technique = "T1059.006"
        reference = "https://attack.mitre.org/techniques/T1059/006/"
        licence = "Apache-2.0"
    strings:
        $run = /\bexec\s{0,4}\(\s{0,4}(urllib(2|\.request)?\.|requests\.get\s{0,4}\(|urlopen\s{0,4}\()[^\n]{0,160}\.(read\s{0,4}\(|text\b|content\b)/
        $packed = /\bexec\s{0,4}\(\s{0,4}(__import__\(["']zlib["']\)|zlib)\.decompress\s{0,4}\(\s{0,4}(__import__\(["']base64["']\)|base64)\.b64decode\s{0,4}\(/
    condition:
        filesize < 512KB and any of them
}
