rule rule_of_all_them {
    meta:
        author = "Ringfence authors"
        description = "rule of all them"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $strings = "the-name-of-a-dropper-7f3a"
    condition:
        $strings
}
