# zeros.pl DEVICE OFFSET:LENGTH...: prints "zeros" where nothing but zeros is in all of these places, or the first byte that is
# not zero. A place that cannot be read whole is an error. One process for hundreds of places: it is a second instead of a minute.
use strict;
use warnings;

my ($device, @places) = @ARGV;
open(my $disk, '<:raw', $device) or die "open $device: $!\n";
for my $place (@places) {
    my ($offset, $length) = $place =~ /^(\d+):(\d+)$/ or die "'$place' is not OFFSET:LENGTH\n";
    defined sysseek($disk, $offset, 0) or die "find byte $offset of $device: $!\n";
    my $count = sysread($disk, my $bytes, $length);
    defined $count or die "read $device at byte $offset: $!\n";
    $count == $length or die "read $device at byte $offset: it ends after $count of $length bytes\n";
    if ($bytes =~ /[^\0]/) {
        print 'byte ', $offset + $-[0], "\n";
        exit;
    }
}
print "zeros\n";
