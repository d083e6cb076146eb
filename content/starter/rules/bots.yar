// Bots for flooding and scanning.

rule Bot_Mirai {
    meta:
        author = "Ringfence authors"
        description = "Mirai and its children, which attack from small devices"
        severity = "critical"
        action = "block"
        technique = "T1498"
        reference = "https://github.com/jgamblin/Mirai-Source-Code"
        licence = "Apache-2.0"
    strings:
        $a = "/dev/misc/watchdog"
        $b = "TSource Engine Query"
        $c = "/bin/busybox MIRAI"
        $d = "listening tun0"
        $e = "LCOGQGPTGP"
        $f = "POST /cdn-cgi/"
        $g = "/bin/busybox ECCHI"
        $h = "enable\x00system\x00shell\x00sh"
    condition:
        uint32(0) == 0x464c457f and filesize < 1MB and 3 of them
}

rule Bot_Gafgyt {
    meta:
        author = "Ringfence authors"
        description = "Gafgyt (Bashlite), a flooding bot"
        severity = "critical"
        action = "block"
        technique = "T1498"
        reference = "https://attack.mitre.org/techniques/T1498/"
        licence = "Apache-2.0"
    strings:
        $a = "LOLNOGTFO"
        $b = "KILLATTK"
        $c = "GETLOCALIP"
        $d = "PONG!"
        $e = "HACKPKG"
        $f = "TELNET SCANNER"
        $g = "BOGOMIPS"
        $h = "gayfgt"
    condition:
        uint32(0) == 0x464c457f and filesize < 1MB and 3 of them
}

rule Bot_Tsunami {
    meta:
        author = "Ringfence authors"
        description = "Tsunami (Kaiten), a flooding bot that takes orders by IRC"
        severity = "critical"
        action = "block"
        technique = "T1498"
        reference = "https://attack.mitre.org/techniques/T1498/"
        licence = "Apache-2.0"
    strings:
        $a = "NOTICE %s :TSUNAMI <target> <secs>"
        $b = "NOTICE %s :UNKNOWN <target> <secs>"
        $c = "Kaiten wa goraku"
        $d = "NOTICE %s :GET <http address> <save as>"
        $e = "NOTICE %s :Spoofs: %d.%d.%d.%d"
    condition:
        uint32(0) == 0x464c457f and any of them
}

rule Bot_Perl_IRC {
    meta:
        author = "Ringfence authors"
        description = "A Perl bot that takes orders by IRC and floods or scans"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $socket = "IO::Socket::INET"
        $say = "PRIVMSG"
        $a = /udpflood/ nocase
        $b = /tcpflood/ nocase
        $c = /httpflood/ nocase
        $d = /portscan/ nocase
        $e = /my\s{1,4}@(adms|hostauth|canais)/
    condition:
        uint16(0) == 0x2123 and filesize < 512KB and $socket and $say and 2 of ($a, $b, $c, $d, $e)
}

rule Bot_XorDDoS {
    meta:
        author = "Ringfence authors"
        description = "XorDDoS, a flooding bot that hides with a rootkit"
        severity = "critical"
        action = "block"
        technique = "T1498"
        reference = "https://attack.mitre.org/techniques/T1498/"
        licence = "Apache-2.0"
    strings:
        $key = "BB2FA36AAA9541F0"
        $a = "/var/run/gcc.pid"
        $b = "/lib/libudev.so"
        $c = "/etc/cron.hourly/gcc.sh"
        $d = "hide_proc"
    condition:
        uint32(0) == 0x464c457f and $key and any of ($a, $b, $c, $d)
}

rule Bot_SSH_Scanner {
    meta:
        author = "Ringfence authors"
        description = "A program that guesses SSH passwords from a list and reports those that work"
        severity = "high"
        action = "alert"
        technique = "T1110.003"
        reference = "https://attack.mitre.org/techniques/T1110/003/"
        licence = "Apache-2.0"
    strings:
        $a = "vuln.txt"
        $b = "pass_file"
        $c = "scan.log"
        $d = "nobash.txt"
        $e = "Checking scanned hosts"
        $f = "libssh"
        $g = "uname -a & lspci"
    condition:
        uint32(0) == 0x464c457f and 3 of them
}
