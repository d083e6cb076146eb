rule Weak_Branch {
    meta:
        author = "Ringfence authors"
        description = "Weak Branch"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
        $short = "tmp"
    condition:
        $name or (filesize < 1MB and $short)
}
