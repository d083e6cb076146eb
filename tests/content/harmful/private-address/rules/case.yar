rule Private_Address {
    meta:
        author = "Ringfence authors"
        description = "Private Address"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = "10.0.0.1"
    condition:
        $c2
}
