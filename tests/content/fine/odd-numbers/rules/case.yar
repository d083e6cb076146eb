rule Odd_Numbers {
    meta:
        author = "Ringfence authors"
        description = "Odd Numbers"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and filesize < 0x100000 and filesize > 0o7 and -1 < 1KB and 2MB \ 1024 == 2048
}
