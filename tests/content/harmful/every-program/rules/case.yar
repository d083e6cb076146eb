rule Every_Program {
    meta:
        author = "Ringfence authors"
        description = "Every Program"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        uint32(0) == 0x464c457f and filesize > 100
}
