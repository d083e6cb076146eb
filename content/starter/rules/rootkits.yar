// Rootkits: preloaded libraries and kernel modules.

rule Rootkit_Preload_Libprocesshider {
    meta:
        author = "Ringfence authors"
        description = "The library libprocesshider, which hides processes from ps and top"
        severity = "critical"
        action = "block"
        technique = "T1574.006"
        reference = "https://github.com/gianlucaborello/libprocesshider"
        licence = "Apache-2.0"
    strings:
        $a = "process_to_filter"
        $b = "/proc/self/fd/%d"
        $c = "readdir64"
        $d = "get_process_name"
    condition:
        uint32(0) == 0x464c457f and filesize < 2MB and $a and 2 of ($b, $c, $d)
}

rule Rootkit_Preload_Hooks {
    meta:
        author = "Ringfence authors"
        description = "A library that hooks directory listing and looks after ld.so.preload"
        severity = "high"
        action = "alert"
        technique = "T1574.006"
        reference = "https://attack.mitre.org/techniques/T1574/006/"
        licence = "Apache-2.0"
    strings:
        $preload = "/etc/ld.so.preload"
        $next = "dlsym"
        $list = "readdir64"
        $a = "__lxstat64"
        $b = "fopen64"
        $c = "unlinkat"
        $d = "rmdir"
        $e = "pam_authenticate"
        $f = "accept"
        $g = "getpwnam_r"
        $h = "/proc/net/tcp"
    condition:
        uint32(0) == 0x464c457f and filesize < 1MB and $preload and $next and $list and 4 of ($a, $b, $c, $d, $e, $f, $g, $h)
}

rule Rootkit_Preload_Installer {
    meta:
        author = "Ringfence authors"
        description = "A script that puts a library into /etc/ld.so.preload"
        severity = "high"
        action = "alert"
        technique = "T1574.006"
        reference = "https://attack.mitre.org/techniques/T1574/006/"
        licence = "Apache-2.0"
    strings:
        $write = /(echo|printf|cp|mv|tee|install)\b[^\n]{0,120}\/[^\s]{1,80}\.so[^\s]{0,16}[^\n]{0,40}\/etc\/ld\.so\.preload/
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and $write
}

rule Rootkit_Module_Diamorphine {
    meta:
        author = "Ringfence authors"
        description = "The kernel module Diamorphine, which hides files and gives root"
        severity = "critical"
        action = "block"
        technique = "T1014"
        reference = "https://github.com/m0nad/Diamorphine"
        licence = "Apache-2.0"
    strings:
        $module = "vermagic="
        $a = "diamorphine" nocase
        $b = "hacked_getdents"
        $c = "hacked_kill"
        $d = "give_root"
        $e = "is_invisible"
        $f = "module_hide"
    condition:
        uint32(0) == 0x464c457f and $module and 3 of ($a, $b, $c, $d, $e, $f)
}

rule Rootkit_Module_Reptile {
    meta:
        author = "Ringfence authors"
        description = "The kernel module Reptile and its tools"
        severity = "critical"
        action = "block"
        technique = "T1014"
        reference = "https://github.com/f0rb1dd3n/Reptile"
        licence = "Apache-2.0"
    strings:
        $a = "reptile_shell"
        $b = "/reptile/reptile"
        $c = "reptile_init"
        $d = "khook_"
        $e = "is_proc_invisible"
        $f = "magic_packet_hook"
    condition:
        uint32(0) == 0x464c457f and 3 of them
}

rule Rootkit_Module_Hooks_System_Calls {
    meta:
        author = "Ringfence authors"
        description = "A kernel module that looks up and changes system calls for listing files"
        severity = "high"
        action = "alert"
        technique = "T1014"
        reference = "https://attack.mitre.org/techniques/T1014/"
        licence = "Apache-2.0"
    strings:
        $module = "vermagic="
        $table = "sys_call_table"
        $name = "__x64_sys_getdents64"
        $lookup = "kallsyms_lookup_name"
        $seen = "module_mutex"
        $kill = "__x64_sys_kill"
        $tcp = "tcp4_seq_show"
        $ftrace = "ftrace_set_filter_ip"
    condition:
        uint32(0) == 0x464c457f and filesize < 4MB and $module and ($name or $table) and 2 of ($lookup, $kill, $tcp, $ftrace, $seen)
}
