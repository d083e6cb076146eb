rule Waived {
    meta:
        author = "Ringfence authors"
        description = "Waived"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = "qzx7vj"
    condition:
        $a
}
