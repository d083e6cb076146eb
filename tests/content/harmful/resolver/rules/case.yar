rule Resolver {
    meta:
        author = "Ringfence authors"
        description = "Resolver"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = "8.8.8.8"
    condition:
        $c2
}
