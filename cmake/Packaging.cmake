# A Debian package of what `install` puts into place: cpack -G DEB in the build directory, or scripts/package.
include(GNUInstallDirs)

install(FILES deploy/systemd/stigg-sidecar.service DESTINATION /lib/systemd/system)
install(FILES deploy/systemd/stigg-sidecar.env DESTINATION /etc/stigg-sidecar)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_NAME stigg-sidecar)
set(CPACK_PACKAGE_CONTACT "stigg-sidecar maintainers <maintainers@stigg-sidecar.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "entitlement checks for applications billed through Stigg")
set(CPACK_PACKAGE_DESCRIPTION
    "Answers over gRPC whether a customer may use a feature, from memory, also while everything else is down.")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
# A file of the administrator's: an upgrade asks before it replaces it.
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/systemd/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# The daemon; the client library is another component (Sdk.cmake).
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};stigg-sidecar;Unspecified;/")
include(CPack)
