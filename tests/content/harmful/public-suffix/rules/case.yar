rule Public_Suffix {
    meta:
        author = "Ringfence authors"
        description = "Public Suffix"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = ".github.io"
    condition:
        $c2
}
