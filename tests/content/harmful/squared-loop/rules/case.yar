rule Squared_Loop {
    meta:
        author = "Ringfence authors"
        description = "Squared Loop"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = "the-name-of-a-dropper-7f3a"
    condition:
        $a and for any i in (0..filesize) : (for any j in (0..filesize) : (uint8(i) == uint8(j) + 9))
}
