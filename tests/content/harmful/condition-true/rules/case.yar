rule Condition_True {
    meta:
        author = "Ringfence authors"
        description = "Condition True"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        true
}
