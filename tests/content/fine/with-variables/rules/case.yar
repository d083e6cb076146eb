rule With_Variables {
    meta:
        author = "Ringfence authors"
        description = "With Variables"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and with first = uint8(0), second = uint8(1) : (first == 0x74 and second == 0x68)
}
