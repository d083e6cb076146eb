rule Loop_Over_Set {
    meta:
        author = "Ringfence authors"
        description = "Loop Over Set"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        for all of them : ($ at 0)
}
