rule Half_Of_Many {
    meta:
        author = "Ringfence authors"
        description = "Half Of Many"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $w0 = "dropper-word-00"
        $w1 = "dropper-word-11"
        $w2 = "dropper-word-22"
        $w3 = "dropper-word-33"
        $w4 = "dropper-word-44"
        $w5 = "dropper-word-55"
    condition:
        50% of them
}
