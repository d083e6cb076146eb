rule Nested_Plus {
    meta:
        author = "Ringfence authors"
        description = "Nested Plus"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = /(a+)+b/
    condition:
        $a
}
