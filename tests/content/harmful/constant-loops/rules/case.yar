rule Constant_Loops {
    meta:
        author = "Ringfence authors"
        description = "Constant Loops"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and for any i in (0..100000) : (for any j in (0..100000) : (i + j == 199999))
}
