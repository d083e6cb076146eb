private rule Is_Script {
    condition:
        uint16(0) == 0x2123
}

rule Private_And_Global {
    meta:
        author = "Ringfence authors"
        description = "Private And Global"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        Is_Script and $name
}
