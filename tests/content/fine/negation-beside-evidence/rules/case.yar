rule Negation_Beside_Evidence {
    meta:
        author = "Ringfence authors"
        description = "Negation Beside Evidence"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
        $vendor = "a-vendor-of-good-software"
    condition:
        $name and not $vendor
}
