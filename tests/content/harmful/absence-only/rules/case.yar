rule Absence_Only {
    meta:
        author = "Ringfence authors"
        description = "Absence Only"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $vendor = "a-vendor-of-good-software"
    condition:
        not $vendor
}
