rule Other_Letters {
    meta:
        author = "Ringfence authors"
        description = "Détecte un maliciel — 检测恶意软件"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "имя-вредоносной-программы"
    condition:
        $name
}
