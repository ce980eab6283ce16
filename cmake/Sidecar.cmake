# What all our targets share: language level, warnings, sanitizers.
add_library(sidecar_options INTERFACE)
target_compile_features(sidecar_options INTERFACE cxx_std_20)
target_include_directories(sidecar_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(sidecar_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
# cpprestsdk defines a macro U, which breaks other headers (docs/adr/0004).
target_compile_definitions(sidecar_options INTERFACE _TURN_OFF_PLATFORM_STRING)
if(SIDECAR_SANITIZE)
  # vptr: cpprestsdk has typeinfo of its own for classes that its headers define, and every
  # request with a body is reported.
  target_compile_options(sidecar_options INTERFACE -fsanitize=${SIDECAR_SANITIZE} -fno-sanitize-recover=all
                                                  -fno-sanitize=vptr)
  target_link_options(sidecar_options INTERFACE -fsanitize=${SIDECAR_SANITIZE})
endif()

# sidecar_library(name SOURCES … [LINK …] [PRIVATE …]): one folder, one target. LINK is what
# its headers need; scripts/check holds the includes to the same directions.
function(sidecar_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC sidecar_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
endfunction()

# Headers of dependencies are system headers: our warnings are for our code.
function(sidecar_system_target name)
  get_target_property(includes ${name} INTERFACE_INCLUDE_DIRECTORIES)
  if(includes)
    set_target_properties(${name} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${includes}")
  endif()
endfunction()
