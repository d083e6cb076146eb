rule Three_Of_Many {
    meta:
        author = "Ringfence authors"
        description = "Three Of Many"
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
        $w6 = "dropper-word-66"
        $w7 = "dropper-word-77"
        $w8 = "dropper-word-88"
        $w9 = "dropper-word-99"
        $w10 = "dropper-word-1010"
        $w11 = "dropper-word-1111"
    condition:
        3 of them
}
