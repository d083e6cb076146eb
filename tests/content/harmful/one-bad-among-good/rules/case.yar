rule Good {
    meta:
        author = "Ringfence authors"
        description = "Good"
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

rule Broken {
    meta:
        author = "Ringfence authors"
        description = "Broken"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = /the-name-of-(a-dropper/
    condition:
        $a
}

rule Good_Too {
    meta:
        author = "Ringfence authors"
        description = "Good Too"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $b = "another-name-of-a-dropper"
    condition:
        $b
}
