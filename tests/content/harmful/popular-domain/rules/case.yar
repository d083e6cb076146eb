rule Popular_Domain {
    meta:
        author = "Ringfence authors"
        description = "Popular Domain"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = "www.google.com"
    condition:
        $c2
}
