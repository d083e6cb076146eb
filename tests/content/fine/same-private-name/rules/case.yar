private rule Small {
    condition:
        filesize < 1MB
}

rule Same_Private_Name {
    meta:
        author = "Ringfence authors"
        description = "Same Private Name"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        Small and $name
}
