rule Loop_Over_Few {
    meta:
        author = "Ringfence authors"
        description = "Loop Over Few"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and for any x in (3, 7, 11) : (uint8(x) == 0x6e)
}
