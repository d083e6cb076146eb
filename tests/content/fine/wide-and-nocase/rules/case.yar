rule Wide_And_Nocase {
    meta:
        author = "Ringfence authors"
        description = "Wide And Nocase"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "The-Name-Of-A-Dropper-7F3A" wide nocase
    condition:
        $name
}
