rule Own_Digest {
    meta:
        author = "Ringfence authors"
        description = "Own Digest"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        hash = "d41d8cd98f00b204e9800998ecf8427e"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name
}
