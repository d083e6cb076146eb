import "elf"

rule Alert_On_A_Field {
    meta:
        author = "Ringfence authors"
        description = "Alert On A Field"
        severity = "high"
        action = "alert"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        elf.number_of_sections == 61
}
