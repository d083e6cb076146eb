// Packed and stripped programs.


rule Packed_ELF_UPX {
    meta:
        author = "Ringfence authors"
        description = "A program packed with UPX"
        severity = "low"
        action = "alert"
        technique = "T1027.002"
        reference = "https://attack.mitre.org/techniques/T1027/002/"
        licence = "Apache-2.0"
    strings:
        $magic = "UPX!"
        $info = "$Info: This file is packed with the UPX executable packer"
    condition:
        uint32(0) == 0x464c457f and $magic and $info
}

rule Packed_ELF_UPX_Name_Removed {
    meta:
        author = "Ringfence authors"
        description = "A program packed with UPX whose packer's name was removed"
        severity = "medium"
        action = "alert"
        technique = "T1027.002"
        reference = "https://attack.mitre.org/techniques/T1027/002/"
        licence = "Apache-2.0"
    strings:
        $magic = "UPX!"
        $info = "$Info: This file is packed with the UPX executable packer"
        $stub = "PROT_EXEC|PROT_WRITE failed."
    condition:
        uint32(0) == 0x464c457f and filesize < 16MB and ($stub and not $info or ($magic in (0..512) and not $info))
}

rule ELF_Without_Sections {
    meta:
        author = "Ringfence authors"
        description = "A program without a section table: stripped by hand or made by an exploit kit"
        severity = "low"
        action = "alert"
        technique = "T1027"
        reference = "https://attack.mitre.org/techniques/T1027/"
        licence = "Apache-2.0"
    condition:
        // by the header's own fields: the elf module would parse every section of every program on every host
        uint32(0) == 0x464c457f and filesize < 4MB and (uint16(0x10) == 2 or uint16(0x10) == 3) and
        ((uint8(4) == 2 and uint16(0x3c) == 0 and uint16(0x38) > 0) or (uint8(4) == 1 and uint16(0x30) == 0 and uint16(0x2c) > 0))
}

rule ELF_Tiny_Shellcode {
    meta:
        author = "Ringfence authors"
        description = "A tiny program with one segment that can be written and run: a stager"
        severity = "high"
        action = "alert"
        technique = "T1620"
        reference = "https://attack.mitre.org/techniques/T1620/"
        licence = "Apache-2.0"
    condition:
        uint32(0) == 0x464c457f and filesize < 1KB and
        ((uint8(4) == 2 and uint16(0x38) == 1 and uint16(0x3c) == 0 and uint32(uint32(0x20) + 4) == 7) or
         (uint8(4) == 1 and uint16(0x2c) == 1 and uint16(0x30) == 0 and uint32(uint32(0x1c) + 24) == 7))
}
