rule Loopback {
    meta:
        author = "Ringfence authors"
        description = "Loopback"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = "127.0.0.1"
    condition:
        $c2
}
