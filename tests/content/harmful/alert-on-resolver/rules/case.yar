rule Alert_On_Resolver {
    meta:
        author = "Ringfence authors"
        description = "Alert On Resolver"
        severity = "high"
        action = "alert"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $c2 = "1.1.1.1"
    condition:
        $c2
}
