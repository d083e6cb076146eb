global private rule Not_Large {
    condition:
        filesize < 1MB
}

rule Global_Rule {
    meta:
        author = "Ringfence authors"
        description = "Global Rule"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name
}
