// Ways out of a container.

rule Container_Escape_Release_Agent {
    meta:
        author = "Ringfence authors"
        description = "A script that leaves a container by the release agent of a control group (CVE-2022-0492)"
        severity = "high"
        action = "alert"
        technique = "T1611"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2022-0492"
        licence = "Apache-2.0"
    strings:
        $agent = /release_agent/
        $notify = /echo\s{1,4}1\s{0,4}>[^\n]{0,80}notify_on_release/
        $join = /(cgroup\.procs|mount\s[^\n]{0,40}cgroup)/
    condition:
        filesize < 64KB and all of them
}

rule Container_Escape_Core_Pattern {
    meta:
        author = "Ringfence authors"
        description = "A script that leaves a container by the kernel's core handler"
        severity = "high"
        action = "alert"
        technique = "T1611"
        reference = "https://attack.mitre.org/techniques/T1611/"
        licence = "Apache-2.0"
    strings:
        $write = /(>|tee)\s{0,4}[^\n]{0,40}\/proc\/sys\/kernel\/core_pattern/
        $upper = /(upperdir|perdir=|overlay2\/|\/proc\/1\/root|\/host\/)/
        $pipe = /["'|]\|\$?[\/{A-Za-z]/
    condition:
        uint16(0) == 0x2123 and filesize < 64KB and all of them
}

rule Container_Escape_Docker_Socket {
    meta:
        author = "Ringfence authors"
        description = "A script that makes a privileged container through Docker's socket"
        severity = "high"
        action = "alert"
        technique = "T1611"
        reference = "https://attack.mitre.org/techniques/T1611/"
        licence = "Apache-2.0"
    strings:
        $socket = /(--unix-socket\s{1,4}|unix:\/\/)\/(var\/)?run\/docker\.sock/
        $create = "/containers/create"
        $root = /(\\?"Privileged\\?"\s{0,4}:\s{0,4}true|\\?"\/:\/[A-Za-z\/]{0,20}|"Source\\?"\s{0,4}:\s{0,4}\\?"\/\\?")/
    condition:
        filesize < 128KB and all of them
}

rule Container_Escape_Toolkit {
    meta:
        author = "Ringfence authors"
        description = "Toolkits for leaving containers: CDK, deepce, amicontained's peers"
        severity = "high"
        action = "alert"
        technique = "T1611"
        reference = "https://github.com/cdk-team/CDK"
        licence = "Apache-2.0"
    strings:
        $a = "github.com/cdk-team/CDK/"
        $b = "mount-cgroup"
        $c = "shim-pwn"
        $d = "docker-sock-pwn"
        $e = "DEEPCE"
        $f = "Docker Enumeration, Escalation of Privileges and Container Escapes"
    condition:
        (uint32(0) == 0x464c457f and $a and 2 of ($b, $c, $d)) or (uint16(0) == 0x2123 and $e and $f)
}
