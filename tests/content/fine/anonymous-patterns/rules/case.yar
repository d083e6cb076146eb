rule Anonymous_Patterns {
    meta:
        author = "Ringfence authors"
        description = "Anonymous Patterns"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $ = "the-name-of-a-dropper-7f3a"
        $ = "another-name-of-a-dropper"
    condition:
        any of them
}
