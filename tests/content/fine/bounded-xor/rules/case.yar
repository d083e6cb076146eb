rule Bounded_Xor {
    meta:
        author = "Ringfence authors"
        description = "Bounded Xor"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a" xor(0x01-0x0f)
    condition:
        $name
}
