rule Loop_Over_Matches {
    meta:
        author = "Ringfence authors"
        description = "Loop Over Matches"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
        $call = { E8 ?? ?? ?? ?? 5B 5E 5F C9 C3 90 }
    condition:
        $name and for any i in (1..10) : (@call[i] < 100 and uint8(@call[i]) == 0xE8)
}
