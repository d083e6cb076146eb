// Reverse shells in the usual languages.

rule Reverse_Shell_Bash_Text {
    meta:
        author = "Ringfence authors"
        description = "A shell joined to a network address by /dev/tcp, in any text"
        severity = "medium"
        action = "alert"
        technique = "T1059.004"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        licence = "Apache-2.0"
    strings:
        $join = /\b(ba|z|k)?sh\s{1,4}-i\s{0,4}[0-9]{0,2}(>&|&>|>\s{0,2}&|<>|<)\s{0,4}\/dev\/(tcp|udp)\/[A-Za-z0-9._$-]{3,64}\/[0-9$]{1,6}/
        $exec = /exec\s{1,4}[0-9]{1,3}<>\s{0,2}\/dev\/(tcp|udp)\/[A-Za-z0-9._$-]{3,64}\/[0-9$]{1,6}\s{0,4};[^\n]{0,60}\bsh\b/
    condition:
        filesize < 1MB and any of them
}

rule Reverse_Shell_Bash_Script {
    meta:
        author = "Ringfence authors"
        description = "A small shell script that joins an interactive shell to a network address"
        severity = "critical"
        action = "block"
        technique = "T1059.004"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        licence = "Apache-2.0"
    strings:
        $join = /\n[^#\n]{0,80}\b(ba|z|k)?sh\s{1,4}-i\s{0,4}[0-9]{0,2}(>&|&>|>\s{0,2}&)\s{0,4}\/dev\/(tcp|udp)\/[A-Za-z0-9.-]{3,64}\/[0-9]{1,5}\s{0,4}0\s{0,2}(>|<)\s{0,2}&\s{0,2}1/
    condition:
        uint16(0) == 0x2123 and filesize < 16KB and $join
}

rule Reverse_Shell_Python {
    meta:
        author = "Ringfence authors"
        description = "Python that joins a shell's three streams to a socket"
        severity = "high"
        action = "alert"
        technique = "T1059.006"
        reference = "https://attack.mitre.org/techniques/T1059/006/"
        licence = "Apache-2.0"
    strings:
        $socket = "socket.socket("
        $connect = ".connect(("
        $join = /os\.dup2\(\s{0,4}\w{1,20}\.fileno\(\)\s{0,4},\s{0,4}(0|2|fd|f)\s{0,4}\)/
        $shell = /(pty\.spawn|subprocess\.(call|Popen|run)|os\.system|os\.execl?v?)\s{0,4}\(\s{0,4}\[?["'](\/bin\/|\/usr\/bin\/)?(ba|z|da)?sh\b/
    condition:
        filesize < 128KB and all of them
}

rule Reverse_Shell_Perl {
    meta:
        author = "Ringfence authors"
        description = "Perl that joins a shell's streams to a socket"
        severity = "critical"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $socket = /socket\s{0,4}\(|IO::Socket::INET/
        $in = /open\s{0,4}\(?\s{0,4}STDIN\s{0,4},\s{0,4}["'][<>+]{1,2}&/
        $out = /open\s{0,4}\(?\s{0,4}STDOUT\s{0,4},\s{0,4}["']>&/
        $shell = /(exec|system)\s{0,4}[\({]?\s{0,4}["'](\/usr)?\/bin\/(ba|z|k|da)?sh\s{1,2}-i/
    condition:
        filesize < 64KB and all of them
}

rule Reverse_Shell_PHP {
    meta:
        author = "Ringfence authors"
        description = "PHP that joins a shell's streams to a socket"
        severity = "critical"
        action = "block"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $socket = /(fsockopen|pfsockopen|stream_socket_client|socket_connect)\s{0,4}\(/
        $descriptors = /(exec|shell_exec|system|passthru|popen)\s{0,4}\(\s{0,4}["'](\/usr)?(\/bin\/)?(ba|z|da)?sh\s{1,2}-i\s{1,4}<&[0-9]\s{1,4}>&[0-9]/
        $process = /uname -a; ?w; ?id; ?(\/usr)?\/bin\/(ba)?sh -i/
    condition:
        filesize < 64KB and $socket and ($descriptors or $process)
}

rule Reverse_Shell_Ruby {
    meta:
        author = "Ringfence authors"
        description = "Ruby that joins a shell's streams to a socket"
        severity = "critical"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $socket = /TCPSocket\.(open|new)\s{0,4}\(/
        $shell = /exec\s{0,4}\(?\s{0,4}(sprintf\s{0,4}\(\s{0,4})?["'](\/usr)?\/bin\/(ba|z|da)?sh\s{1,2}-i\s{1,4}<&/
    condition:
        filesize < 64KB and all of them
}

rule Reverse_Shell_Node {
    meta:
        author = "Ringfence authors"
        description = "Node.js that joins a shell's streams to a socket"
        severity = "high"
        action = "alert"
        technique = "T1059.007"
        reference = "https://attack.mitre.org/techniques/T1059/007/"
        licence = "Apache-2.0"
    strings:
        $child = "child_process"
        $shell = /spawn\s{0,4}\(\s{0,4}["'](\/bin\/|\/usr\/bin\/)?(ba|z|da)?sh["']/
        $in = /\.pipe\(\s{0,4}\w{1,20}\.stdin\s{0,4}\)/
        $out = /\.stdout\.pipe\(\s{0,4}\w{1,20}\s{0,4}\)/
    condition:
        filesize < 64KB and all of them
}

rule Reverse_Shell_Netcat_Fifo {
    meta:
        author = "Ringfence authors"
        description = "A shell joined to netcat through a named pipe"
        severity = "high"
        action = "alert"
        technique = "T1059.004"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        licence = "Apache-2.0"
    strings:
        $pipe = /mkfifo\s{1,4}(\/tmp|\/var\/tmp|\/dev\/shm)\/[A-Za-z0-9._-]{1,32}\s{0,4}[;&|]{1,2}[^\n]{0,80}\|\s{0,4}((\/usr)?\/bin\/)?(ba|z|da)?sh\s{1,2}-i\s{0,4}2>&1\s{0,4}\|[^\n]{0,20}\b(nc|ncat|netcat|telnet|openssl)\b/
    condition:
        filesize < 256KB and $pipe
}

rule Reverse_Shell_Socat_Pty {
    meta:
        author = "Ringfence authors"
        description = "socat that gives a login shell on a terminal to a network address"
        severity = "high"
        action = "alert"
        technique = "T1059.004"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        licence = "Apache-2.0"
    strings:
        $socat = /socat\s[^\n]{0,80}exec:["']?((\/usr)?\/bin\/)?(ba|z|da)?sh[^\n]{0,20},pty,[^\n]{0,60}(tcp|udp|openssl)[46]?(-connect)?:[A-Za-z0-9.-]{3,64}:[0-9]{1,5}/ nocase
    condition:
        uint16(0) == 0x2123 and filesize < 64KB and $socat
}

rule Meterpreter_Linux_Mettle {
    meta:
        author = "Ringfence authors"
        description = "The Linux agent of the Metasploit framework"
        severity = "critical"
        action = "block"
        technique = "T1071"
        reference = "https://attack.mitre.org/techniques/T1071/"
        licence = "Apache-2.0"
    strings:
        $a = "core_loadlib"
        $b = "stdapi_net_tcp_client"
        $c = "stdapi_fs_delete_file"
        $d = "stdapi_sys_process_execute"
        $e = "mettle"
    condition:
        uint32(0) == 0x464c457f and 3 of them
}
