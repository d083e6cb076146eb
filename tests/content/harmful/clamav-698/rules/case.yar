rule Clamav_698 {
    meta:
        author = "Ringfence authors"
        description = "Clamav 698"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $s1 = "one-of-five-parts-a1"
        $s2 = "one-of-five-parts-b2"
    condition:
        $s1 and $s2 and $s7
}
