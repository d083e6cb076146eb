rule Example_Name {
    meta:
        author = "Ringfence authors"
        description = "Example Name"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = "example.com"
    condition:
        $c2
}
