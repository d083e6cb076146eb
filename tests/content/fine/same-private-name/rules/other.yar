private rule Small {
    condition:
        filesize < 2MB
}

rule Same_Private_Name_Too {
    meta:
        author = "Ringfence authors"
        description = "Same Private Name Too"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $b = "another-name-of-a-dropper"
    condition:
        Small and $b
}
