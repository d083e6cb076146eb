// Strings for trying the sensor out; harmless.

rule EICAR_Test_File {
    meta:
        author = "Ringfence authors"
        description = "The EICAR anti-virus test file"
        severity = "low"
        action = "block"
        technique = ""
        reference = "https://www.eicar.org/download-anti-malware-testfile/"
        licence = "Apache-2.0"
    strings:
        $eicar = { 58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56 49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 21 24 48 2B 48 2A }
    condition:
        $eicar at 0 and filesize < 129
}

rule Ringfence_Test_String {
    meta:
        author = "Ringfence authors"
        description = "Ringfence's own test string, anywhere in a file: blocked, harmless"
        severity = "low"
        action = "block"
        technique = ""
        reference = ""
        licence = "Apache-2.0"
    strings:
        // RINGFENCE-TEST-STRING- and 5f1c6c0e4b7d in a row; in hexadecimal, so that this file is not a finding
        $test = { 52 49 4E 47 46 45 4E 43 45 2D 54 45 53 54 2D 53 54 52 49 4E 47 2D 35 66 31 63 36 63 30 65 34 62 37 64 }
    condition:
        $test
}

rule Ringfence_Alert_String {
    meta:
        author = "Ringfence authors"
        description = "Ringfence's own test string for alerts that do not block"
        severity = "informational"
        action = "alert"
        technique = ""
        reference = ""
        licence = "Apache-2.0"
    strings:
        // RINGFENCE-ALERT-STRING- and 5f1c6c0e4b7d in a row
        $test = { 52 49 4E 47 46 45 4E 43 45 2D 41 4C 45 52 54 2D 53 54 52 49 4E 47 2D 35 66 31 63 36 63 30 65 34 62 37 64 }
    condition:
        $test
}
