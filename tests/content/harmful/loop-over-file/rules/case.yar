rule Loop_Over_File {
    meta:
        author = "Ringfence authors"
        description = "Loop Over File"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and for any i in (0..filesize) : (uint8(i) == 7)
}
