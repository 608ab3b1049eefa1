# What the stand-ins for the host's disk tools have in common. They work on the machine of fake-machine.ts, whose folder is in
# FAKE_MACHINE. Shell and not Node: a test runs dozens of them. flock is the machine's own.
set -u
home=$FAKE_MACHINE
root=$home/host
table=$root/proc/self/mountinfo
tab='	'

# Each call is a line in `calls`: the tool and its arguments, parted by tabs.
line=${0##*/}
for word in "$@"; do line=$line$tab$word; last=$word; done
printf '%s\n' "$line" >> "$home/calls"

# $disk: the folder that tells what is on the disk of a device node, and how it behaves. Fails for a disk that has gone.
disk_of() { [ -e "$1" ] && read -r disk < "$root/sys/class/block/${1##*/}/disk" && [ ! -e "$disk/dead" ]; }

# $number: major:minor of a device node.
number_of() { read -r number < "$root/sys/class/block/${1##*/}/dev"; }

# $value: the text of a trait of $disk.
trait() { value= && { read -r value < "$disk/$1" || :; } 2> /dev/null; }

# $blocks: how many of 4 KiB the disk has.
blocks_of_disk() { trait known-size && blocks=$((value / 4096)); }

# $at: a path as the mount table has it.
place_of() {
  at=$(cd -P "${1%/*}" && pwd)/${1##*/}
  case $at in *' '*) at=$(printf '%s' "$at" | sed 's/ /\\040/g') ;; esac
  export at
}

# The parts that every mkfs has.
begin_mkfs() { disk_of "$last" || fail 1 "${0##*/}: No such device or address"; }
write_most() {
  touch "$disk/noise-head"
  [ -e "$disk/mkfs-waits" ] && read -r _ < "$disk/mkfs-waits"
  [ -e "$disk/mkfs-dies" ] && kill -9 $$
  [ -e "$disk/mkfs-fails" ] && fail 1 "${0##*/}: Input/output error while writing"
}
end_mkfs() {
  blocks_of_disk
  printf %s "$blocks" > "$disk/blocks"
  printf %s "${0##*/mkfs.}" > "$disk/type"
}

fail() { code=$1; shift; echo "$*" >&2; exit "$code"; }
