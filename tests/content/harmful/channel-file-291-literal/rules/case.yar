rule Channel_File_291_Literal {
    meta:
        author = "Ringfence authors"
        description = "Channel File 291 Literal"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and filename == "C-00000291.sys"
}
