rule Every_Picture {
    meta:
        author = "Ringfence authors"
        description = "Every Picture"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        uint32be(0) == 0x89504E47
}
