rule Size_Only {
    meta:
        author = "Ringfence authors"
        description = "Size Only"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        filesize > 10 and filesize < 100000
}
